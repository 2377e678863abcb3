const { writeFileSync } = require('node:fs')
module.exports = async () => {
  writeFileSync(process.env.REACHED, '')
  await new Promise(done => setTimeout(done, 60000))
  writeFileSync(process.env.FINISHED, '')
}
