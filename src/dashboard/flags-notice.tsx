import { Outside } from './parts.tsx'

const MAX_NAMED = 10

/** Asks whom flags concern that nobody is known to evaluate; nothing while there are none. */
export const FlagsNotice = ({ flags }: { readonly flags: readonly string[] }) =>
  flags.length === 0 ? null : (
    <p class="notice warn">
      These flags concern no service yet:{' '}
      {flags.slice(0, MAX_NAMED).map((flag, place) => (
        <>
          {place > 0 && ', '}
          <Outside>{flag}</Outside>
        </>
      ))}
      {flags.length > MAX_NAMED && ' and others'}. Send evaluations by <a href="/connect/otlp">OpenTelemetry logs</a>, or map each to its
      service in the settings of its <a href="/settings/integrations">integration</a>: <code>{`${flags[0]} = service`}</code>.
    </p>
  )
