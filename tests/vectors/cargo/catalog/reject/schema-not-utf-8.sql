PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = CAST(x'ff' AS TEXT) WHERE name LIKE '%of_file';
