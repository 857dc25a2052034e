-- Phases: api/v1/backup_types.go at v1.30.
local phase = obj.status ~= nil and obj.status.phase or "pending"
if phase == "completed" then
  return { status = "Healthy" }
end
if phase == "failed" or phase == "walArchivingFailing" or phase == "invalid backup definition" then
  return { status = "Degraded", message = obj.status.error or phase }
end
return { status = "Progressing", message = phase }
