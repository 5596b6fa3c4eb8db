"""Commands for deploying and operating the platform."""
