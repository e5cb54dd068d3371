"""The figures of Portal's speed: each a ratio to its limit, both measured in the same run, with the results checked."""
