import { sleep } from 'k6'
export const options = { duration: '60s', vus: 1 }
export default function () { console.log('reached'); sleep(0.1) }
