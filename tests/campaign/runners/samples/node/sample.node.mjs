import test from 'node:test'
import wait from './wait.cjs'
test('first', () => {})
test('second', wait)
