/**
 * What work comes to, unless that takes longer than `timeoutMs`: then nobody hears of it any more, and the runtime ends it
 * with the invocation. A signal to abort it by would cost workerd a tenth of what an event does.
 */
export function withDeadline<Result>(timeoutMs: number, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DOMException('The deadline has passed', 'TimeoutError')), timeoutMs)
    work.finally(() => clearTimeout(timer)).then(resolve, reject)
  })
}
