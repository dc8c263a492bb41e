import { backendRelease, listEntries } from '../lib/backend.js';
import { release } from '../lib/release.js';
import EntryForm from './entry-form.js';

// Entries and release belong to the moment of the request, never to the build.
export const dynamic = 'force-dynamic';

export default async function Page() {
  const here = release();
  const [entries, behind] = await Promise.allSettled([listEntries(), backendRelease()]);
  return (
    <main>
      <h1>
        Guest book
        <span className="environment" data-name={here.environment}>
          {here.environment}
        </span>
      </h1>
      <EntryForm />
      <Entries result={entries} />
      <footer>
        <dl>
          <dt>frontend</dt>
          <dd id="frontend-release">{here.sha}</dd>
          <dt>backend</dt>
          <dd id="backend-release">{behind.value?.sha ?? 'does not answer'}</dd>
        </dl>
      </footer>
    </main>
  );
}

function Entries({ result }) {
  if (result.status === 'rejected') {
    return (
      <p className="problem" role="alert">
        The entries cannot be shown at the moment: {result.reason.message}.
      </p>
    );
  }
  if (result.value.length === 0) return <p className="empty">No entries yet. Write the first one.</p>;
  return (
    <ul className="entries">
      {result.value.map((entry) => (
        <li key={entry.id}>
          <span>{entry.text}</span>
          <time dateTime={entry.created_at}>{entry.created_at.slice(0, 16).replace('T', ' ')}</time>
        </li>
      ))}
    </ul>
  );
}
