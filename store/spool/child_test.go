package spool

// roleVariable has the test binary play a part instead of running tests.
const roleVariable = "SPOOL_TEST_ROLE"

func runChild(role string) int { return 2 }
