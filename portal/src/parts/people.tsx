import type { Person } from "../api";

/** People with the links of their addresses. */
export function People({ people }: { people: readonly Person[] }) {
  if (!people.length) return null;
  return (
    <ul class="people">
      {people.map(({ name, email }) => (
        <li key={email}>
          <bdi>{name}</bdi> <a href={`mailto:${email}`}>{email}</a>
        </li>
      ))}
    </ul>
  );
}
