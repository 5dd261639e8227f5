"""The project's own load program: measures the running default beside a floor taken in the same run. `make bench`."""
