"""The frame of every HTTP function: who asks, what is sent, problem documents, pages, versions."""
