export const ISSUER = 'https://auth.example.com';
export const SECRET = 'the secret of an application with a strategy of its own';
