import { expect, test } from 'vitest'
import { toSetupValues } from '../../src/dashboard/connect/setup.ts'
import { BRINGS, type Door } from '../../src/domain/doors/door.ts'
import { DOORS } from '../../src/domain/doors/index.ts'
import { DOOR_TYPES, type DoorType } from '../../src/domain/integration-type.ts'
import { MANUAL, readProjectFile } from '../support/manual.ts'

const ORIGIN = 'https://noctuary.example.com'
const TOKEN = 'tok_…'
const GROUPS: Readonly<Record<Door['brings'], string>> = { alerts: 'Alerts', deploys: 'Deploys', flags: 'Flags', logs: 'Logs and clusters' }

const ofGroup = (group: Door['brings']) => DOOR_TYPES.filter((type) => DOORS[type].brings === group)

/** The values of a line of text as code, as they are within it anyway. */
function asCode(line: string): string {
  const pieces = line.split('`')
  return pieces.map((piece, place) => (place % 2 === 0 ? piece.replaceAll(/\{\{(?:url|token)\}\}[/\w]*/g, '`$&`') : piece)).join('`')
}

function toSection(type: DoorType): string {
  const { title, setup, config } = DOORS[type]
  const { url, token } = toSetupValues(type, ORIGIN, TOKEN)
  const fill = (line: string) => line.replaceAll('{{url}}', url).replaceAll('{{token}}', token)
  const text = setup
    .split('\n')
    .map((line) => fill(line.startsWith('    ') ? line : asCode(line)))
    .join('\n')
  return `### ${title}\n\n${text}\n\nType \`${type}\`; its \`config\`: ${config.map((field) => `\`${field}\``).join(', ')}.\n`
}

/** The manual's page about senders: every row of the registry, with placeholders. */
function toPage(): string {
  const groups = BRINGS.map((group) => `## ${GROUPS[group]}\n\n${ofGroup(group).map(toSection).join('\n')}`)
  return `# Senders

What to paste where, for each sender. On the dashboard, Connect shows the same with an address and a token of your own, and what has arrived. Here \`${ORIGIN}\` and \`${TOKEN}\` stand for them. An ingest key does as well wherever the token goes into a header; \`POST /v1/integrations\` with the \`type\` makes a token. A \`webhook_secret\` that is set has to sign every delivery. What a sender says of another environment than production (\`prod\`, \`prd\`, \`live\` and the like) is ignored, which the page shows, unless \`environments\` names it; what says none is taken.

${groups.join('\n')}`
}

test('the manual has every sender of the registry, with what to paste: npx vitest -u writes it anew', async () => {
  await expect(toPage()).toMatchFileSnapshot('../../src/docs/senders.md')
})

test('the manual’s and the README’s tables name every sender', () => {
  const [, readme = ''] = readProjectFile('README.md').split('## Connect your senders')
  for (const text of [readme.split('\n## ', 1).join(), MANUAL.get('connect')?.split('\n## ', 1).join() ?? '']) {
    for (const group of BRINGS) {
      const titles = ofGroup(group).map((type) => DOORS[type].title)
      expect(text).toContain(`| ${titles.join(', ')} |`)
    }
  }
})
