-- name: MakePartition :exec
SELECT make_partition(@parent::text, @by_column::text, @first_day::text);
