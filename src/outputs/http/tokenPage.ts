/** What a browser is shown that has no token yet: a form for it. Everything else gets its refusal as JSON. */
import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Reply } from "./answer.ts";

const STYLE = `:root{color-scheme:dark light;font:14px/1.5 system-ui,sans-serif}
body{max-width:26em;margin:15vh auto;padding:0 16px}h1{font-size:18px}
form{display:flex;gap:8px}input{flex:1;min-width:0}input,button{font:inherit;padding:5px 9px}`;

/** Whether a person opens the page in a browser: a form helps no program. */
export const isPageLoad = (method: string, path: string, headers: IncomingHttpHeaders): boolean =>
  method === "GET" && path === "/" && /\btext\/html\b/.test(headers.accept ?? "");

export function tokenPage(wasWrong: boolean): Reply {
  const style = createHash("sha256").update(STYLE).digest("base64");
  return {
    status: 401,
    type: "text/html; charset=utf-8",
    headers: {
      "content-security-policy": `default-src 'none'; style-src 'sha256-${style}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'`,
    },
    body: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hlsync: token</title>
<style>${STYLE}</style>
</head>
<body>
<h1>hlsync</h1>
<p${wasWrong ? ' role="alert"' : ""}>${wasWrong ? "That is not the token." : "This address asks for a token."} It is HLSYNC_TOKEN, or the one that hlsync printed when it started.</p>
<form method="get" action="/">
<input type="password" name="token" aria-label="Token" autocomplete="current-password" required autofocus>
<button>Open</button>
</form>
</body>
</html>
`,
  };
}
