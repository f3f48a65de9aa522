-- JSON array of the limitations of a result. NULL if the collection has no result or was completed by an older version.
ALTER TABLE tasks ADD COLUMN result_limitations TEXT;
