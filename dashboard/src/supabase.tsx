/**
 * The page of a Supabase project, which any host of files can serve: it asks for a sign-in of the project's, then it is the page
 * that hlsync serves. `supabase.json` beside it says which project (`hlsync page` writes it).
 */
import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { render } from "preact";
import { useState } from "preact/hooks";
import { readFrom } from "./source.ts";
import { supabaseSource } from "./supabaseSource.ts";

const root = document.getElementById("app") as HTMLElement;

function SignIn({ client, done }: { client: SupabaseClient; done(): void }) {
  const [said, setSaid] = useState("");
  const signIn = async (event: SubmitEvent) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    setSaid("Signing in…");
    const { error } = await client.auth.signInWithPassword({
      email: String(fields.get("email")),
      password: String(fields.get("password")),
    });
    if (error) setSaid(error.message);
    else done();
  };
  return (
    <main class="refusal">
      <h1>hlsync</h1>
      <form class="sign-in" onSubmit={signIn}>
        <input
          type="email"
          name="email"
          aria-label="E-mail"
          placeholder="E-mail"
          autocomplete="username"
          required
        />
        <input
          type="password"
          name="password"
          aria-label="Password"
          placeholder="Password"
          autocomplete="current-password"
          required
        />
        <button type="submit" class="button">
          Sign in
        </button>
      </form>
      <p role="status">{said}</p>
    </main>
  );
}

async function begin() {
  const { url, key, schema }: Record<"url" | "key" | "schema", string> = await (
    await fetch("supabase.json")
  ).json();
  // The types of the client know one name.
  const client = createClient(url, key, { db: { schema: schema as "public" } });
  const { data } = await client.auth.getSession();
  if (data.session === null) {
    root.replaceChildren();
    await new Promise<void>((done) => render(<SignIn client={client} done={done} />, root));
    render(null, root);
  }
  client.auth.onAuthStateChange((event) => {
    if (event === "SIGNED_OUT") location.reload();
  });
  readFrom(await supabaseSource(client, new URL(url).host, schema));
  await import("./main.tsx");
}

begin().catch((error: unknown) => {
  root.textContent = `hlsync cannot begin: ${error instanceof Error ? error.message : String(error)}`;
});
