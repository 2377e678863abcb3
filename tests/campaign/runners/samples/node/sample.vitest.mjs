import { test } from 'vitest'
import wait from './wait.cjs'
test('first', () => {})
test('second', wait, 90000)
