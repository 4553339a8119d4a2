// Before anything is imported: says in one line, or in none, what would otherwise be a stack trace. In words that any Node can read.
const { existsSync } = require('node:fs')
const { join } = require('node:path')

const LEAST = [22, 18]
const [major, minor] = process.versions.node.split('.').map(Number)

if (!existsSync(join(__dirname, '../../node_modules'))) stop('nothing is installed yet: run "npm ci" first')
if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1]))
  stop(`this is Node ${process.versions.node}, and it takes ${LEAST.join('.')} or newer: on Linux "npm ci" brings one along`)

// A reader that has seen enough, such as head, ends us as it ends others: without a word.
process.stdout.on('error', (error) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(141)
})

function stop(reason) {
  console.error(reason)
  process.exit(1)
}
