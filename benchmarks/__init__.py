"""Speed, measured in pairs: two things in turn in one process, and the ratio of their medians."""
