"""Running the product's processes on one machine: started in order, restarted when they die, none left behind."""
