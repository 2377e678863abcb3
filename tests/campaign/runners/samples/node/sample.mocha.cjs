const wait = require('./wait.cjs')
it('first', () => {})
it('second', wait).timeout(90000)
