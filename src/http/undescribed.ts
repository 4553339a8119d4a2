/**
 * What stands in the Worker for `@asteasolutions/zod-to-openapi` (see `[alias]` in wrangler.toml): routes are the same, and nothing
 * is kept of what describes them. The build has drawn `/openapi.json` with the library itself, a fortieth of the bundle.
 */
type Described = { openapi?: (this: unknown) => unknown }

export class OpenAPIRegistry {
  readonly definitions: readonly never[] = []
  registerPath(): void {}
  registerComponent(): void {}
}

export function extendZodWithOpenApi({ ZodType }: { readonly ZodType: { readonly prototype: Described } }): void {
  ZodType.prototype.openapi = function () {
    return this
  }
}

export function getOpenApiMetadata(): Readonly<Record<string, never>> {
  return {}
}

/** Neither is made where no document is asked for. */
export class OpenApiGeneratorV3 {}
export class OpenApiGeneratorV31 {}
