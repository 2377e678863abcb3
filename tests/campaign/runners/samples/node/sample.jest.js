const wait = require('./wait.cjs')
test('first', () => {})
test('second', wait, 90000)
