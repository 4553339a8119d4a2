import { isNoteOf, writeNote } from '../telling/note.ts'
import { ANSWERS, followsNever, type Receiver } from './receiver.ts'

/** Notes on PagerDuty's incidents, posted in the name of one of the account's users. */
export const pagerduty: Receiver = {
  scope: 'own',
  secrets: ['pagerduty_token'],
  hasChannels: false,
  tells: ANSWERS,
  tellsByDefault: ANSWERS,
  needsBlame: false,
  repeats: () => 'asked',
  follows: followsNever,
  findMissing: ({ from, secrets }) =>
    from === null || secrets.pagerduty_token === undefined ? 'pagerduty_token and pagerduty_from are not both set' : undefined,
  write: writeNote,
  isAbout: isNoteOf,
}
