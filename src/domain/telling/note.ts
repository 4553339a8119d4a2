import type { IncidentId } from '../ids.ts'
import { type Message, toLines, toVerdictLines } from './message.ts'

const TITLE = 'Noctuary Context'

/** The text of a note: a title, the message's lines and a mark by which it is known again. */
export function writeNote(message: Message): string {
  return [TITLE, ...toLines(message), ...toVerdictLines(message), toMarker(message.incidentId, message.answer?.number ?? 0)].join('\n')
}

/** Whether a note is the one about that diagnosis: what tells, after a doubtful attempt, that it was posted. */
export function isNoteOf(content: string, incidentId: IncidentId, diagnosisNumber: number): boolean {
  const marker = toMarker(incidentId, diagnosisNumber)
  return isOwnNote(content) && content.split(/\r?\n/).some((line) => line.trim() === marker)
}

/** Whether a note was written here, whatever it is about. Its end may be missing: PagerDuty trims what it delivers. */
export function isOwnNote(content: string): boolean {
  return content.trimStart().split(/\r?\n/, 1)[0]?.trimEnd() === TITLE
}

function toMarker(incidentId: IncidentId, diagnosisNumber: number): string {
  return `Noctuary reference: ${incidentId} / ${diagnosisNumber}`
}
