/** What an operator's request was answered. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, when it is JSON. */
  readonly body: Readonly<Record<string, unknown>>;
}

interface Init {
  readonly body?: unknown;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Requests to one API as one operator. */
export function operating(
  url: string,
  operator: string,
): (method: string, path: string, init?: Init) => Promise<Answer> {
  return async (method, path, { body, token = operator, headers = {} } = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    const parsed = (isJson ? JSON.parse(text) : {}) as Answer['body'];
    return { status: response.status, headers: response.headers, text, body: parsed };
  };
}
