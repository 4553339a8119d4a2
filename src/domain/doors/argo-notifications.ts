/**
 * What a config map of Argo's notifications says to post a body: Markdown, with {{url}} and {{token}} for the integration's own.
 * https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/services/webhook/
 */
export function postByArgo(body: string): string {
  return `    service.webhook.noctuary: |
      url: {{url}}
      headers:
        - {name: Authorization, value: Bearer {{token}}}
        - {name: Content-Type, value: application/json}
    template.noctuary: |
      webhook:
        noctuary:
          method: POST
          body: '${body}'`
}
