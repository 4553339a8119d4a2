declare module 'autocannon' {
  type Request = {
    readonly method: 'GET' | 'POST'
    readonly path: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: string
  }

  type Client = { readonly setRequests: (requests: readonly Request[]) => void }

  type Options = {
    readonly url: string
    readonly connections: number
    /** Seconds. */
    readonly duration: number
    readonly setupClient: (client: Client) => void
    /** `[<id>]` in a body is another text each time. */
    readonly idReplacement: boolean
  }

  type Result = {
    /** Seconds. */
    readonly duration: number
    readonly errors: number
    readonly timeouts: number
  }

  type Run = Promise<Result> & {
    readonly on: (event: 'response', listener: (client: unknown, statusCode: number, bytes: number, durationMs: number) => void) => Run
    readonly stop: () => void
  }

  const run: (options: Options) => Run
  export = run
}
