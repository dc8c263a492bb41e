'use client';

import { useRouter } from 'next/navigation';
import { useState, useTransition } from 'react';

/** Without JavaScript the browser posts the form itself and is sent back to the page. */
export default function EntryForm() {
  const router = useRouter();
  const [problem, setProblem] = useState('');
  const [busy, startTransition] = useTransition();

  function submit(event) {
    event.preventDefault();
    const form = event.currentTarget;
    const text = new FormData(form).get('text');
    startTransition(async () => {
      const answer = await fetch(form.action, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ text }),
      }).catch(() => null);
      if (!answer?.ok) {
        const body = await answer?.json().catch(() => null);
        setProblem(body?.error ?? 'the entry could not be sent');
        return;
      }
      setProblem('');
      form.reset();
      router.refresh();
    });
  }

  return (
    <>
      <form method="post" action="/api/entries" onSubmit={submit}>
        <input name="text" required maxLength={280} placeholder="Write an entry" aria-label="Entry" autoComplete="off" />
        <button disabled={busy}>Add</button>
      </form>
      {problem && (
        <p className="problem" role="alert">
          Not added: {problem}.
        </p>
      )}
    </>
  );
}
