"""Looking at a prepared data set: what a person is shown of it is read and chosen here; `report` draws the page."""
