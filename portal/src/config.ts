/** What the page is told where it is served: one `meta` of index.html, written at deploy or by the local front door. */

export interface Config {
  /** The vendor's name, as customers know it. */
  vendor: string;
  /** The user pool client of the page. */
  client_id: string;
  /** Where the log-in pages are, without a slash at the end. */
  login: string;
  /** The address of Stripe.js. */
  stripe_script: string;
  /** An e-mail address for questions, if the vendor has one. */
  support: string | null;
}

function read(): Config {
  const content = document.querySelector<HTMLMetaElement>('meta[name="livello-config"]')?.content;
  if (!content) throw new Error("index.html has no configuration: it was not served by Livello");
  return JSON.parse(content) as Config;
}

export const config: Config = read();
