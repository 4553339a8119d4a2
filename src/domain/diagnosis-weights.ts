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
  weights: { explained: 3.29, near: 2.02, lag: -2.17, symptom: 0.53, habit: -0.15, pattern: 1 },
  calibration: { bias: 0.1, unexplained: -2.34, unseen: 0.3, margin: 2.28 },
}
