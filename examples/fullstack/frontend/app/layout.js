import './globals.css';

export const metadata = {
  title: 'Guest book',
  description: 'A small full-stack app: Next.js, FastAPI and PostgreSQL',
};

export default function RootLayout({ children }) {
  return (
    <html lang="en">
      <body>{children}</body>
    </html>
  );
}
