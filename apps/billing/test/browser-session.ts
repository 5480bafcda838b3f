/** What a browser keeps and sends, for one origin. */
export class BrowserSession {
  readonly cookies = new Map<string, { readonly value: string; readonly attributes: string }>();
  csrf: string | undefined;

  constructor(readonly origin: string) {}

  async call(
    path: string,
    {
      method,
      body,
      headers = {},
    }: { method?: string; body?: unknown; headers?: Readonly<Record<string, string>> } = {},
  ): Promise<{ readonly status: number; readonly headers: Headers; readonly text: string; readonly body: never }> {
    const cookie = [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ');
    const response = await fetch(`${this.origin}${path}`, {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      redirect: 'manual',
      headers: {
        'sec-fetch-site': 'same-origin',
        ...(cookie === '' ? {} : { cookie }),
        ...(this.csrf === undefined ? {} : { 'x-csrf-token': this.csrf }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split('; ');
      const [name = '', value = ''] = pair.split('=');
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, { value, attributes: attributes.join('; ') });
    }
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    const json: unknown = isJson && text !== '' ? JSON.parse(text) : undefined;
    if (response.status === 200 && typeof json === 'object' && json !== null && 'csrf' in json) {
      this.csrf = String(json.csrf);
    }
    return { status: response.status, headers: response.headers, text, body: json as never };
  }
}
