// Fitted: `npm run bench:diagnosis -- --fit --write` writes this file.
import type { Calibration, Weights } from './diagnosis-rules.ts'

/** What each feature of a candidate counts. */
export const WEIGHTS: Weights = { explained: 3.23, near: 1.27, lag: -3.08, symptom: 0.66, habit: -1.3, pattern: 1 }

/** What the confidence in the leading candidate is computed from. */
export const CALIBRATION: Calibration = { bias: -0.87, unexplained: -1.64, unseen: 0.05, margin: 1.12 }

/** Below this confidence the answer is that no recorded change explains the alert. */
export const MIN_CONFIDENCE = 0.19
