"""The graph for assistants: read-only tools by the Model Context Protocol."""
