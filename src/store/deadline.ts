/**
 * What work comes to, unless that takes longer than `timeoutMs`: then nobody hears of it any more, and the runtime ends it
 * with the invocation. A signal to abort it by would cost workerd a tenth of what an event does. `onAnswer` hears how long it took.
 */
export function withDeadline<Result>(timeoutMs: number, work: Promise<Result>, onAnswer?: (ms: number) => void): Promise<Result> {
  const startedAt = performance.now()
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DOMException('The deadline has passed', 'TimeoutError')), timeoutMs)
    const end = () => {
      clearTimeout(timer)
      onAnswer?.(performance.now() - startedAt)
    }
    work.finally(end).then(resolve, reject)
  })
}
