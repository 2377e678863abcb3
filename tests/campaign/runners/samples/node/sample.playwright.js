const { test } = require('@playwright/test')
const wait = require('./wait.cjs')
test('first', () => {})
test('second', async () => { test.setTimeout(90000); await wait() })
