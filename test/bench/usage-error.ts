/** What whoever started a benchmark can mend; its message is all they need to see. */
export class UsageError extends Error {}
