import { defineCommand, renderUsage, runCommand, runMain } from 'citty'
import { CommandError } from './command-error.ts'
import { EXIT, toPlain } from './noctuary/api.ts'
import { markDeploy } from './noctuary/mark-deploy.ts'
import { showIncident } from './noctuary/show-incident.ts'
import { events } from './noctuary/tail-events.ts'
import { tryDoor } from './noctuary/try-door.ts'

const main = defineCommand({
  meta: {
    name: 'npm run noctuary --',
    description:
      'Noctuary’s API from a terminal, at NOCTUARY_URL and with the key NOCTUARY_KEY. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no answer',
  },
  subCommands: { deploy: markDeploy, events, incident: showIncident, test: tryDoor },
})

/** Runs what the arguments say, and returns the exit code. */
async function run(rawArgs: string[]): Promise<number> {
  if (rawArgs.length === 0) {
    console.error(await renderUsage(main))
    return EXIT.usage
  }
  if (rawArgs.includes('--help') || rawArgs.includes('-h')) {
    await runMain(main, { rawArgs })
    return EXIT.done
  }
  try {
    await runCommand(main, { rawArgs })
    return EXIT.done
  } catch (error) {
    if (error instanceof CommandError) {
      console.error(toPlain(error.message))
      return error.exitCode
    }
    console.error(error instanceof Error ? error.message : String(error))
    // What is missing or unknown among the arguments is citty's to say.
    if (error instanceof Error && error.name === 'CLIError') return EXIT.usage
    throw error
  }
}

process.exitCode = await run(process.argv.slice(2))
