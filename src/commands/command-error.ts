/** A reason to end that is the operator's to mend: told in one line, without a stack. */
export class CommandError extends Error {}
