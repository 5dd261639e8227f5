// What `npx langfuse` starts, where the package is installed.
import "langfuse-cli/bin/langfuse.mjs";
