"""What `manage.py bench` measures, each with everything it needs started for it alone."""
