"""The pages of accounts: settings of projects, organizations and people."""
