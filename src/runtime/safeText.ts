/**
 * Text as it may leave the program: on a terminal, in a log, an error, a header. Pure. Guarantees: what comes out of `visible`
 * and `printable` cannot move a cursor, change a color, break a line or turn its direction; `visible` of JSON text is JSON of
 * the same value; what comes out of `maskSecrets` has none of the secrets that it knows the look of, and is else unchanged.
 */

/** C0, DEL and C1; marks of direction and width; separators of lines; invisible tags. */
const CONTROL = /\p{Cc}|[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a color is one
const COLOR = /(\u001b\[\d{1,2}m)/;

/** Printable text, whatever was sent, for words between other words: what cannot be seen is left out. */
export const printable = (value: unknown): string =>
  value === null || value === undefined ? "" : String(value).replace(CONTROL, "");

/** One line that shows what cannot be seen: `\u001b`. Breaks and tabs become a space. */
export const visible = (text: string): string =>
  text.replace(/\r?\n|\t/g, " ").replace(CONTROL, (character) => {
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
  });

/** The same for a line that hlsync has painted: colors stay. What others said in it must be visible before. */
export const visiblePainted = (text: string): string =>
  text
    .split(COLOR)
    .map((part, index) => (index % 2 === 1 ? part : visible(part)))
    .join("");

/** JSON that a terminal can show. */
export const visibleJson = (value: unknown): string => visible(JSON.stringify(value));

// --- secrets --------------------------------------------------------------------------------------------------------

const MASK = "***";

/** A key whose value is a secret, wherever it stands. */
export const isSecretKey = (key: string): boolean => SECRET_KEY.test(key);
const SECRET_KEY = /secret|password|passwd|token$|authorization|cookie|(?:api|private).?key/i;

/** As messages and help write it: `telegram://TOKEN@CHAT`. */
const PLACEHOLDER = /^(?:USER:PASSWORD@|TOKEN@|ROUTING_KEY|HOST)/;
const URL_TEXT = /\b([a-z][a-z0-9+.-]*):\/\/([^\s"'<>`]+)/gi;
/** Schemes in which a name without a password is no secret. */
const NAMED = /^(?:postgres(?:ql)?|smtps?)$/i;
/** What a URL of these is, is the secret. */
const KEYED = /^(?:pagerduty|apprises?|tgram)$/i;

/** Secrets by their own look, or by the words around them: what `$1` and `$2` hold stays. */
const LOOKS: readonly RegExp[] = [
  /\b(whsec_)[\w+/-]+=*/g,
  // Telegram: in the path of its API, and alone.
  /(\/bot)\d{5,}:[\w-]+/g,
  /()\b\d{6,12}:AA[\w-]{30,}/g,
  // Discord: a webhook's path, and a bot's token.
  /(\/api(?:\/v\d+)?\/webhooks\/\d+\/)[\w-]+/g,
  /()\b[MNO][\w-]{22,}\.[\w-]{6}\.[\w-]{27,}/g,
  // Slack: a webhook's path, and tokens.
  /(hooks\.slack\.com\/[a-z]+\/)[\w/-]+/gi,
  /\b(xox[a-z]-|xapp-)[\w-]{8,}/g,
  // Teams, PagerDuty, IFTTT: in the path.
  /(\/IncomingWebhook\/)[\w/-]+/g,
  /(\/integration\/)[0-9a-f]{32}/g,
  /(\/with\/key\/)[\w-]+/g,
  // ntfy; GitHub and others.
  /\b(tk_)[a-z0-9]{20,}/gi,
  /\b(gh[a-z]_|github_pat_|glpat-|sk-|sk_live_)[\w-]{16,}/g,
  /\b(Bearer )[\w.~+/-]{16,}=*/gi,
  /\b(Authorization: *\w+ +)[\w.~+/-]+=*/gi,
  // A signed token of any issuer, and Supabase's keys.
  /()\beyJ[\w-]{6,}\.[\w-]+\.[\w-]+/g,
  /\b(sb_secret_|sbp_)[\w-]+/g,
  // Other headers that carry one, whole.
  /\b((?:(?:x-)?(?:api-?key|auth-token)|x-[\w-]+-(?:token|secret|key)): *)[\w.~+/-]+=*/gi,
  /\b((?:set-)?cookie: *)[^\s;="]+=[^\s;"]*(?:; *[^\s;="]+=[^\s;"]*)*/gi,
  // Parameters of a URL, words of a connection string, variables; with and without quotes.
  /(?<![\w])((?:ssl|pg)?pass(?:word|wd)\s*=\s*)(?:'(?:[^'\\]|\\.)*'|"[^"]*"|(?:\\.|[^\s&'",;)])+)/gi,
  /(?<![\w])((?:access_|auth_|bot_|refresh_|hlsync_)?token=)[\w.~+/%-]+=*/gi,
  /(?<![\w])((?:(?:api|private)_?key|client_secret|secret|signature|sig)=)[^\s&'",;)]+/gi,
  /([?&](?:key|auth)=)[^\s&'",;)]+/gi,
  // A whole address as a part of another one.
  /(%3A%2F%2F[^\s%&]*%3A)[^\s&]*(?=%40)/gi,
  /\b(aws_secret_access_key *= *)[\w/+]+=*/gi,
  // What the database says of a row: a constraint's columns and values.
  /(\([^()]*(?:password|secret)[^()]*\)=\()[^)]*(?=\))/gi,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|$)/gs,
  // Variables of a shell; a token of the venue is none.
  /\b(\w*(?:SECRET|PASSWORD|API_KEY|ACCESS_KEY|ROLE_KEY|PRIVATE_KEY)\w*=)(?:'[^']*'|"[^"]*"|[^\s&'",;)]+)/g,
  /("(?:\w*password|\w*secret|authorization|cookie|(?:api|private)_?key|(?:access|refresh|auth|bot)_?token)"\s*:\s*")(?:[^"\\]|\\.)*(?=")/gi,
];

/** Text with everything in it that looks like a secret replaced by `***`. */
export function maskSecrets(text: string): string {
  let masked = text.replace(
    URL_TEXT,
    (_, scheme: string, rest: string) => `${scheme}://${maskUser(scheme, rest)}`,
  );
  for (const look of LOOKS) masked = masked.replace(look, (_, kept: string) => `${kept}${MASK}`);
  return masked;
}

/** What stands before the host: a password may have an `@` of its own. */
function maskUser(scheme: string, rest: string): string {
  if (PLACEHOLDER.test(rest)) return rest;
  if (KEYED.test(scheme)) return MASK;
  const end = rest.search(/[/?#]/);
  const authority = end === -1 ? rest : rest.slice(0, end);
  let at = authority.lastIndexOf("@");
  // A password with a slash; a port is none.
  if (at === -1 && /^[^/?#@:]*:(?!\d{1,5}(?:[/?#]|$))/.test(rest)) at = rest.lastIndexOf("@");
  if (at === -1) return rest;
  const user = rest.slice(0, at);
  const colon = user.indexOf(":");
  if (colon !== -1) return `${user.slice(0, colon)}:${MASK}${rest.slice(at)}`;
  return NAMED.test(scheme) ? rest : MASK + rest.slice(at);
}

/** What a log, an error or a terminal may show of any text. */
export const loggable = (text: string): string => visible(maskSecrets(text));
