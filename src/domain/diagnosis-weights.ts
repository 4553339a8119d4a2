// Chosen and fitted: `npm run bench:diagnosis -- --fit --write` writes this file.
import type { Model } from './diagnosis-rules.ts'

export const MODEL: Model = {
  tuning: {
    clockSlackMs: 30_000,
    lagScaleMs: 120_000,
    nearAlertMs: 60_000,
    nearPerHop: 0.5,
    blamePerHop: 0.8,
    lateness: 1,
    settleMs: 10_000,
  },
  weights: { explained: 3.69, near: 1.96, lag: -2.41, symptom: 0.81, habit: -1.02, pattern: 1 },
  calibration: { bias: 0.02, unexplained: -3.01, unseen: 0.41, margin: 2.94 },
  minConfidence: 0.2,
}
