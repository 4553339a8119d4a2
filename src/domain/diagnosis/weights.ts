// Chosen and fitted: `npm run bench:diagnosis -- --fit --write` writes this file.
import type { Model } from './rules.ts'

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
  weights: { explained: 3.36, near: 2.02, lag: -2.13, symptom: 0.52, habit: -0.6, pattern: 1 },
  calibration: { bias: 0.13, unexplained: -2.42, unseen: 0.36, margin: 2.22 },
}
