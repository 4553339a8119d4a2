// Chosen and fitted: `npm run bench:diagnosis -- --fit --write` writes this file.
import type { Model } from './diagnosis-rules.ts'

export const MODEL: Model = {
  tuning: {
    clockSlackMs: 30_000,
    lagScaleMs: 120_000,
    noticeMs: 0,
    nearAlertMs: 60_000,
    nearPerHop: 0.5,
    blamePerHop: 0.8,
    lateness: 1,
    settleMs: 10_000,
  },
  weights: { explained: 3.84, near: 1.73, lag: -2.31, symptom: 0.77, habit: -1.02, pattern: 1 },
  calibration: { bias: -0.11, unexplained: -2.96, unseen: 0.6, margin: 2.84 },
  minConfidence: 0.18,
}
