/**
 * The constants of the engine: times in milliseconds, everything else a share or a factor. Why each has its value, and what
 * halving or doubling it does, is in the manual's page `diagnosis`.
 */
export type Weights = {
  /** Lags count from it on. */
  readonly scaleMs: number
  /** A report that is so much older than the freshest weighs a quarter, and all half when the freshest is so old: what fails is reported on. */
  readonly fadeMs: number
  readonly staleMs: number
  readonly lagExponent: number
  /** Clocks differ by as much: within it the order of a change and a failure is uncertain. */
  readonly slackMs: number
  /** Chances that a fault shows in a failing call to its service, per hop below it, in a call of its own, and anywhere else. */
  readonly own: number
  readonly perHop: number
  readonly caller: number
  readonly elsewhere: number
  /** The same in a call of its own that is refused, or fails at once with others of its, to services that have nothing to do with each other. */
  readonly together: number
  /** The most that correlated reports weigh together, and what a service's own symptoms count against calls. */
  readonly maxWeight: number
  readonly symptom: number
  /** For a change whose service had failed before it. */
  readonly late: number
  /** Places: each hop from the alert, its direct callers, and services to which no way is known. */
  readonly nearPerHop: number
  readonly upstream: number
  readonly unknownPlace: number
  readonly unknownSilent: number
  readonly unreachable: number
  /** Kinds of change, against a deploy: how often they are triggers, not how fresh they are. */
  readonly flag: number
  readonly scaling: number
  readonly taking: number
  readonly undoing: number
  readonly same: number
  /** A change of what is needed to be let in, where what fails is not let in. */
  readonly denied: number
  /** A change of what failures name that it put in place or took away. */
  readonly named: number
  /** Faults that nobody recorded: at services, at those that tell of trouble of their own, and outside. */
  readonly unrecorded: number
  readonly troubled: number
  readonly external: number
  readonly silent: number
  readonly minMultiplicity: number
  /** The power by which services make doubtful whose change is as likely as one that nothing connects with the alert. */
  readonly alike: number
  /** How many times likelier than all that is unrecorded a cause has to be, as a share. */
  readonly minRatio: number
  readonly calibration: {
    readonly bias: number
    readonly present: number
    readonly share: number
    readonly provisionalMax: number
    readonly unprovenMax: number
  }
}

export const WEIGHTS: Weights = {
  scaleMs: 600_000,
  fadeMs: 120_000,
  staleMs: 300_000,
  lagExponent: 0.8,
  slackMs: 30_000,
  own: 0.75,
  perHop: 0.95,
  caller: 0.1,
  elsewhere: 0.02,
  together: 0.3,
  maxWeight: 2,
  symptom: 0.2,
  late: 0.25,
  nearPerHop: 0.8,
  upstream: 0.15,
  unknownPlace: 0.64,
  unknownSilent: 0.19,
  unreachable: 0.003,
  flag: 0.5,
  scaling: 0.25,
  taking: 0.5,
  undoing: 0.25,
  same: 0.25,
  denied: 3,
  named: 6,
  unrecorded: 0.04,
  troubled: 0.4,
  external: 0.3,
  silent: 0.12,
  minMultiplicity: 0.2,
  alike: 1.5,
  minRatio: 0.75,
  calibration: { bias: -0.85, present: 0.6, share: 0.5, provisionalMax: 0.7, unprovenMax: 0.6 },
}
