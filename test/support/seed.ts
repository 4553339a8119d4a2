import fc from 'fast-check'

/** `FUZZ_SEED` makes every property try what it tried with that seed before; without it each run tries what none has tried. */
const seed = Number(process.env['FUZZ_SEED'] || Number.NaN)
if (Number.isSafeInteger(seed)) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed })
